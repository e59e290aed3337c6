"""Two ends driven through everything that users and networks do, and what must hold meanwhile and afterwards."""
