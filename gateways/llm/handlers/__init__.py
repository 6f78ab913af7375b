"""How the methods of conversations are answered: check, then mostly one call down.

threads.py has what is about a thread as a whole, messages.py what is said in it.
"""
