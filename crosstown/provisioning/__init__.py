"""What contracts and agreements ask of a cluster, how it differs, and carrying that out."""
