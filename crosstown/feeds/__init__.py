"""From what was accepted to what each agreement grants: chosen, projected, under other names, numbered."""
