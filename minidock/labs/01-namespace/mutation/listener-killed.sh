kill $(ip netns pids "$RED")
