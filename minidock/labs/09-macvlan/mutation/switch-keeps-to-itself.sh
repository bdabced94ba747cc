bridge -n switch link set dev host hairpin off
