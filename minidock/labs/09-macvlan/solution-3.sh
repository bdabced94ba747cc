bridge -n switch link set dev host hairpin on
