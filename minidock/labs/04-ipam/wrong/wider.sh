# fails: same-size
# mistake: wider
minidock rm -f one old
minidock net rm tiny
minidock net create tiny --subnet "$WIDE" -o com.docker.network.bridge.name=tiny0
