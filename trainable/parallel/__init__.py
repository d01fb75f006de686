"""Trains one trial with several processes on one machine: one process per GPU, or on CPUs as many as the user asks for.

`Team` is the worker's side: it starts the other processes, tells them which net comes next and when an epoch begins,
and watches them. `member.py` is the program of such a process. `Group` is the common work of all processes within the
training loop, also if there is only one. The first process is the worker itself. It alone reports and writes files, so
a checkpoint does not depend on the number of processes, and a trial may be continued with another number.
"""
