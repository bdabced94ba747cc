ip netns delete "$SQUATTER"
minidock rm -f old
minidock run -d --name printer --net tiny --ip "$FIXED" sleep infinity
for name in heir five six; do
    minidock run -d --name "$name" --net tiny sleep infinity
done
