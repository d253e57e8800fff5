"""What surrounds a cluster: its network, its registries, its users, and what runs in containers."""
