"""The history as a file: exported as a stream, and restored from what may be hostile.

An export is a ZIP of files that are stored, not compressed:

    media/<name>      the originals, byte for byte, under the names they have here
    thumbs/<name>     small copies, only of pictures whose originals were removed to save space
    history.jsonl     a line of JSON for each run, with every field but whose it is      lines.py
    history.csv       the same in flat columns, for spreadsheets                         csv_rows.py
    grids.jsonl       the grids that the runs belong to: plan, cells, ballots
    grid/<name>       what else belongs to an exported grid; not read again
    README.txt        what this is

export.py writes it;  safety.py looks through what is to be restored;  import_.py restores it, all or nothing
"""
