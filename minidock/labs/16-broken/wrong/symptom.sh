# fails: repaired
# mistake: symptom
minidock exec api sh -c "echo $DB db >> /etc/hosts"
minidock exec api ip neigh replace "$DB" lladdr "$(minidock inspect db | sed -n 's/.*"MacAddress": "\(.\+\)".*/\1/p' | head -1)" dev eth0 nud permanent
