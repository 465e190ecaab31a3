"""Who may receive what, why and until when: agreements' files, what parties say of them, what they say in words."""
