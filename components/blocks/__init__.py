"""One component per block type: rows in, rows and rejected rows out."""
