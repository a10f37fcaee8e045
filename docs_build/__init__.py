"""Makes the generated parts of the guide in docs/, whenever it is built."""
