"""What a user can name: networks, endpoints, containers, rules. Values only: no kernel, file, clock or randomness."""
