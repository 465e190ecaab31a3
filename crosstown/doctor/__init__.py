"""What is wrong with an installation: looked at, judged, and told with its cause and its mend."""
