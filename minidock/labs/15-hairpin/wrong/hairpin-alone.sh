# fails: itself-0
# mistake: hairpin-alone
for side in east west; do
    bridge -n "$side" link set dev vweb hairpin on
    bridge -n "$side" link set dev vapi hairpin on
done
