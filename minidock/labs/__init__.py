"""Graded exercises in playgrounds: a prediction, a task, and a check that packets prove. A folder each.

    folder    what an author writes: lab.toml, texts, scripts, check.py     seeds    its values for one learner
    desk      what is kept of a learner, whatever becomes of the terminal   inside   what is done in the playground
    course    start, check, reset, solve: the use cases                     telling  a verdict as a person reads it
    watching  the check again when something changes                        racing   several desks, one clock
    selftest  is a lab honest?                                              report   for the teacher

`minidock lab new` makes a folder; TEACHERS.md beside this file says how to fill it.
"""
