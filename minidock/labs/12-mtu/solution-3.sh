nft 'table ip clamp { chain forward { type filter hook forward priority -150; tcp flags syn tcp option maxseg size set 1360; }; }'
