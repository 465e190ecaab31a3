"""What an event is: its envelope, its names, its bytes, and what strangers may send as one."""
