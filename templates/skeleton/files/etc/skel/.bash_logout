# read when a login shell of bash ends
