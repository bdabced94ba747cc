# fails: too-big
# mistake: df-cleared
nft 'table ip fragments { chain forward { type filter hook forward priority -150; ip frag-off set 0; }; }'
