. /run/lab/words.sh
eval "$_INJECT"
