# fails: diagnosis
# mistake: misnamed
# predict: it is always DNS
. /run/lab/words.sh
eval "$_FIX"
