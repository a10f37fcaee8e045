"""The tutorial's programs in NumPy, back-propagation written by hand."""
