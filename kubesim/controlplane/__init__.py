"""The control plane: the API server, its clients, and the components that act through them."""
