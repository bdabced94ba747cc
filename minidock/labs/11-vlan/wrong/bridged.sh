# fails: apart
# mistake: bridged
. "${0%/*}/../solution.sh"
ip -n router -batch - <<END
link add both type bridge
link set both up
link set eth0.$RED master both
link set eth0.$BLUE master both
address flush dev eth0.$RED
address flush dev eth0.$BLUE
address add 10.$S.1.1/24 dev both
address add 10.$S.2.1/24 dev both
END
