# fails: twin
# mistake: collateral
. /run/lab/words.sh
eval "$_FIX"
iptables -I MINIDOCK-USER -i up0 -j ACCEPT
