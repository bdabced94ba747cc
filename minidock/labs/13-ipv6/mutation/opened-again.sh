ip6tables -I MINIDOCK-USER -o br-six -j ACCEPT
