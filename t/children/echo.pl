#!/usr/bin/perl
# echo.pl - echo.c in Perl, with the module of libfcgi.
use strict;
use warnings;
use FCGI;
use Time::HiRes 'usleep';

my $request = FCGI::Request();

while ($request->Accept() >= 0) {
    my $body = '';
    1 while read STDIN, $body, 65536, length $body;
    print "Content-Type: text/plain\r\n\r\npid: $$\n\n";
    usleep 2000;
    print $body;
}
