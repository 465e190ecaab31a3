"""What runs under a home: started, watched, waited for, ended; told apart from strangers."""
