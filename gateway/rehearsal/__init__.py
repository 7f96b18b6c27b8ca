"""The gateway without sockets or waiting: the production pipeline on virtual time, with scripted providers.

Lives above the application and below the command line: what `gateway test` runs, and the test-suite with it.
"""
