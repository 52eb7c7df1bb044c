# read by interactive shells of bash
