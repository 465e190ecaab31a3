"""Looking at an installation from outside its programs, for whoever is woken at night.

What no program can say of itself: that nothing comes any more, that its partition stands still, that
an open transaction keeps every reader waiting, that the disk fills. Told as metrics, nothing else.
"""
