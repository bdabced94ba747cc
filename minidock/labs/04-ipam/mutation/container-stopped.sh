minidock rm -f printer
