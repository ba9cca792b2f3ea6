"""What each training sample did to the bias, and whether that is true."""
