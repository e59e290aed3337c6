"""Short runs of two real ends, each made so that certain rows of the model are taken: `table` has them all."""
