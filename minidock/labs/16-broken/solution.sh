. /run/lab/words.sh
eval "$_FIX"
