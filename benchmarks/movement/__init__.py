"""What the data benchmark needs beside itself."""
