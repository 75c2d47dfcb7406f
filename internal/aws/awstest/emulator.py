"""Serves moto's emulation of AWS on a free port of the loopback interface.

Prints the port on its first line, and ends when its standard input is closed,
that is at the latest when the process that started it is gone.
"""

import logging
import os
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)

moto = DomainDispatcherApplication(create_backend_app)

# moto undoes a failed DynamoDB transaction by putting back a copy of the tables
# from before it, and with it takes back what other requests have written
# meanwhile. One request at a time gives the isolation that AWS has.
one_at_a_time = threading.Lock()


def serve(environ, start_response):
    with one_at_a_time:
        return moto(environ, start_response)


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


server = make_server("127.0.0.1", 0, serve, threaded=True, request_handler=MotoRequestHandler)
threading.Thread(target=end_with_parent, daemon=True).start()
print(server.port, flush=True)
server.serve_forever()
