bridge -n switch vlan add dev host vid "$BLUE" pvid untagged
