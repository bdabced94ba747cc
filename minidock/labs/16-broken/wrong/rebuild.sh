# fails: same
# mistake: rebuilt
. /run/lab/words.sh
minidock rm -f api db
run_db
run_api
