minidock net create --subnet "10.89.$S.0/24" -o com.docker.network.driver.mtu=1400 narrow
minidock run -d --name small --net narrow sleep 86400
