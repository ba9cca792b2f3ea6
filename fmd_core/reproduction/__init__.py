"""What unlearning comes to, measured by one command and written down: `fmd reproduce`.

Cases stand in `cases`, what is measured of each in `cells`, how it reads in `page`.
"""
