"""`ikeref tour --break`: one rule is broken, in the rows and in the code, and what falls is shown."""
