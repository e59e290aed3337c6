"""ikeref against daemons that others wrote, in network namespaces of this machine."""
