ip netns add guest
