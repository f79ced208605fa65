"""The runner: takes operations off a cell's queue and does them."""
