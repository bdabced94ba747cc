# fails: sent
# mistake: nat
. "${0%/*}/../solution-2.sh"
rule="POSTROUTING -o lan0 -j MASQUERADE"
iptables -t nat -A $rule || iptables-legacy -t nat -A $rule # where nf_tables has no NAT
