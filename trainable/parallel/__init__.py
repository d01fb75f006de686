"""One trial on several processes of a machine: one for each of its GPUs, or on CPUs as many as one asks for.

`Team` is how a worker trains with the others: it starts them, tells them which net comes and when an epoch begins, and
watches them. `member.py` is what such a process runs. `Group` is what all of them, and a trial that has one process
alone, do within the training loop. The first process is the worker itself; it alone reports and writes files, so a
checkpoint is the same whatever the number of processes was, and a trial may go on with another number.
"""
