"""The roof: commands for people. The only part that may import everything."""
