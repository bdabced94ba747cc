# fails: evicted
# mistake: victim-moved
minidock net disconnect tiny one
minidock net connect --ip "$PREFIX.6" tiny one
